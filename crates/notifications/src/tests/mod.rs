mod codes;
mod json;
pub(crate) mod samples;
