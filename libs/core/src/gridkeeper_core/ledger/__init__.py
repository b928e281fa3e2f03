"""The books: position, cost basis, completed turns, proof."""
