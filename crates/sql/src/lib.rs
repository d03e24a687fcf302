//! Questions in SQL over tables that views make.
