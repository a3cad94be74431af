import Resources

/// `jobs/{job}`.
struct JobName: Hashable, Sendable, CustomStringConvertible {
    static let form = "jobs/{job}"
    let id: String

    init(id: String) { self.id = id }

    init(_ text: String, field: String) throws(ResourceError) {
        id = try ResourcePath(text, field: field, form: Self.form).parts[0]
    }

    var description: String { "jobs/\(id)" }
}

/// `models/{model}`.
struct ModelName: Hashable, Sendable, CustomStringConvertible {
    static let form = "models/{model}"
    let id: String

    init(id: String) { self.id = id }

    init(_ text: String, field: String) throws(ResourceError) {
        id = try ResourcePath(text, field: field, form: Self.form, extra: ".").parts[0]
    }

    /// `[a-z][a-z0-9.-]{0,62}`.
    static func isValid(_ id: String) -> Bool { ResourceID.isValid(id, extra: ".") }

    var description: String { "models/\(id)" }
}

/// `jobs/{job}/checkpoints/{checkpoint}`, where the checkpoint is a step, `best` or `last`.
struct CheckpointName: Hashable, Sendable, CustomStringConvertible {
    static let form = "jobs/{job}/checkpoints/{checkpoint}"
    let job: JobName
    let id: String

    init(job: JobName, id: String) { (self.job, self.id) = (job, id) }

    init(_ text: String, field: String) throws(ResourceError) {
        let path = try ResourcePath(text, field: field, form: Self.form)
        (job, id) = (JobName(id: path.parts[0]), path.parts[1])
    }

    var description: String { "\(job)/checkpoints/\(id)" }
}

/// `jobs/{job}/evaluations/{evaluation}`.
struct EvaluationName: Hashable, Sendable, CustomStringConvertible {
    static let form = "jobs/{job}/evaluations/{evaluation}"
    let job: JobName
    let id: String

    init(job: JobName, id: String) { (self.job, self.id) = (job, id) }

    init(_ text: String, field: String) throws(ResourceError) {
        let path = try ResourcePath(text, field: field, form: Self.form)
        (job, id) = (JobName(id: path.parts[0]), path.parts[1])
    }

    var description: String { "\(job)/evaluations/\(id)" }
}

/// `datasets/{dataset}/versions/{version}`, where the version is a number or `latest`.
struct VersionName: Hashable, Sendable, CustomStringConvertible {
    static let form = "datasets/{dataset}/versions/{number}, or latest for the newest"
    let dataset: String
    let version: String

    init(_ text: String, field: String) throws(ResourceError) {
        let path = try ResourcePath(
            text, field: field, form: "datasets/{dataset}/versions/{number}")
        guard path.parts[1] == "latest" || (Int(path.parts[1]) ?? 0) > 0 else {
            throw .badName(field: field, seen: text, form: Self.form)
        }
        (dataset, version) = (path.parts[0], path.parts[1])
    }

    var description: String { "datasets/\(dataset)/versions/\(version)" }
}

/// The parts of a name that has the words of a form.
struct ResourcePath: Hashable, Sendable {
    /// What stands where the form has braces.
    let parts: [String]

    /// - Parameters:
    ///   - form: such as `jobs/{job}`
    ///   - extra: bytes that ids may have besides letters, digits and dashes
    init(
        _ text: String, field: String, form: String, extra: String = ""
    ) throws(ResourceError) {
        guard !text.isEmpty else { throw .required(field: field) }
        let words = form.split(separator: "/").map(String.init)
        let seen = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard words.count == seen.count else {
            throw .badName(field: field, seen: text, form: form)
        }
        var parts: [String] = []
        for (word, part) in zip(words, seen) {
            let isFree = word.hasPrefix("{")
            // The last part may be a number, such as a step.
            let isPlain = ResourceID.isValid(part, extra: extra) || UInt64(part) != nil
            guard isFree ? isPlain : word == part else {
                throw .badName(field: field, seen: text, form: form)
            }
            if isFree { parts.append(part) }
        }
        self.parts = parts
    }
}
