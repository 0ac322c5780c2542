//! Names, plans and landings.

mod landing;
mod name;
mod plan;
mod results;
