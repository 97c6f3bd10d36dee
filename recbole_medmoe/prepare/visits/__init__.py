"""What all converters of visits share: reading under a memory limit, filters, splits, texts, the data set folder."""
