//! The sample host application.

fn main() {}
