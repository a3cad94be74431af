import Resources

/// Why the dataset service turned a call down.
typealias DatasetError = ResourceError
