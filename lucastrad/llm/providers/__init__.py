"""One module per provider; each implements `lucastrad.llm.protocol.Provider`."""
