"""The paper's toy: learn the width of a robust energy through its minimiser."""
