"""Floor 6: records to what leaves the house: table, JSON, CSV. Same record, same octets; nothing is added up anew."""
