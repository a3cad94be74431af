/// Checks that many fields share.
package enum FieldRules {
    /// A text of at most so many bytes.
    package static func size(_ field: String, _ text: String, _ max: Int) throws(ResourceError) {
        guard text.utf8.count <= max else {
            throw .tooLarge(what: field, bytes: text.utf8.count, bytesMax: max)
        }
    }

    /// A number within a range.
    package static func range<Number: Comparable & Sendable>(
        _ field: String, _ value: Number, _ allowed: ClosedRange<Number>
    ) throws(ResourceError) {
        guard allowed.contains(value) else {
            throw .invalid(
                field: field, seen: "\(value)",
                allowed: "\(allowed.lowerBound) to \(allowed.upperBound) is allowed")
        }
    }

    /// Labels: at most 64, with plain keys.
    package static func labels(
        _ field: String, _ labels: [String: String]
    ) throws(ResourceError) {
        try range("\(field) (their number)", labels.count, 0...ResourceLimits.labelsMax)
        for (key, value) in labels {
            try word("\(field) (a key)", key)
            try size("\(field).\(key)", value, ResourceLimits.idBytesMax)
        }
    }

    /// `[a-z][a-z0-9_-]{0,62}`.
    package static func word(_ field: String, _ text: String) throws(ResourceError) {
        guard ResourceID.isValid(text, extra: "_") else {
            throw .invalid(
                field: field, seen: text, allowed: "[a-z][a-z0-9_-]{0,62} is allowed")
        }
    }
}
