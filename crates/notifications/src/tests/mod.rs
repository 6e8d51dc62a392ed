mod json;
pub(crate) mod samples;
