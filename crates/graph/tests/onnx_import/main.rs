//! ONNX import on small files built here: every operator, every kind of refusal, and hostile bytes.

mod beside;
mod builder;
mod hostile;
mod operators;
mod refusals;
mod shapes;
mod vendor;
