//! What is counted, and the Prometheus text format in which it is shown. Counting takes no lock.

mod series;
mod text;

pub use series::{Family, Histogram};
pub use text::Text;
