//! Worlds from a seed.
