//! Whole-system tests: the built program, as processes, on real files, with faults between and bad input before it.
//!
//! One binary, so that all tests share one pool of threads and link once. Servers start on saved plans, made once; only tests
//! of what an ONNX file and its options do serve one. Tests that need `../shared` are ignored, and counted as such, where it is absent.

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
