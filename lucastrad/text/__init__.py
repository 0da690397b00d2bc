"""Words of code and prose: what both the keyword index and the embedding model see."""
