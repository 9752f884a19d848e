//! Whole-system tests: the built program, as processes, on real files, with faults between and bad input before it.
//!
//! One binary, so that all tests share one pool of threads and link once. A test that needs `../shared` says so and passes
//! without it.

mod answers;
mod bad_input;
mod bad_models;
mod canaries;
mod clients;
mod compare;
mod costs;
mod demo;
mod faults;
mod kills;
mod misfit;
mod plans;
mod reports;
mod sabotage;
mod secrets;
mod stock;
mod study;
mod versions;
