"""The search language as text: grammar, places of mistakes, normal form, cost."""
