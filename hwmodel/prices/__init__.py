"""One price table, one file: who published the numbers, and how sure each of them is."""
