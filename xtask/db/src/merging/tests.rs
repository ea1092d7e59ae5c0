//! Merges of small databases.
