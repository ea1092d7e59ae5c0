//! The real binary in temporary projects.

mod adopting;
mod project;
mod refusing;
mod taking_back;
