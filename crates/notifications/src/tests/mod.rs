mod codes;
mod json;
