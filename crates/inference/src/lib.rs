//! The only place where a layer meets a protocol: assignment, demand, cost, roles, offline, online.
#![forbid(unsafe_code)]

pub mod stock;
