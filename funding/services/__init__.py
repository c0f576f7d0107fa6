"""Every action of funding, by noun: links, relationships, transfers, news."""
