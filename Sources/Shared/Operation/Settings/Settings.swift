package import Base

/// The values given to one command, checked against its options.
///
/// Flags win over `FOVEA_*` variables, variables over the configuration file, the file over
/// defaults. Whatever nobody knows is refused: a typing error must not become a default.
package struct Settings: Sendable {
    /// The values of one option and who gave them.
    private struct Given: Sendable {
        let texts: [String]
        let source: SettingSource
    }

    /// What a command line, an environment and a file say, before they meet.
    package struct Input: Sendable {
        /// What follows the verb.
        package var arguments: [String]
        package var environment: [String: String]
        /// Gives the bytes of a file, or why it cannot be read.
        package var readFile: @Sendable (_ path: String) -> Result<Bytes, SystemError>

        package init(
            arguments: [String], environment: [String: String],
            readFile: @escaping @Sendable (_ path: String) -> Result<Bytes, SystemError>
        ) {
            (self.arguments, self.environment) = (arguments, environment)
            self.readFile = readFile
        }
    }

    private let specs: [OptionSpec]
    private var given: [String: Given] = [:]
    /// Arguments that are not options, in order.
    package private(set) var positionals: [String] = []

    /// - Parameters:
    ///   - specs: the options of the verb
    ///   - verb: its name, for messages
    ///   - knownVariables: `FOVEA_*` variables that others read
    package init(
        _ input: Input, specs: [OptionSpec], verb: String, knownVariables: Set<String> = []
    ) throws(UsageError) {
        self.specs = specs
        try readFlags(input.arguments, verb: verb)
        try readVariables(input.environment, known: knownVariables)
        if let path = text("config") {
            try readFile(ConfigurationFile(path: path, reading: input.readFile))
        }
    }

    /// Whether somebody gave a value.
    package func has(_ name: String) -> Bool { given[name] != nil }

    /// Who gave the value; the default if nobody did.
    package func source(_ name: String) -> SettingSource {
        given[name]?.source ?? .standard(spec(name).flag)
    }

    /// The value of a text or choice, or its default.
    package func text(_ name: String) -> String? {
        guard specs.contains(where: { $0.name == name }) else { return nil }
        return given[name]?.texts.first ?? spec(name).standard
    }

    /// The values of a list.
    package func list(_ name: String) -> [String] { given[name]?.texts ?? [] }

    /// Whether a flag is set.
    package func flag(_ name: String) -> Bool {
        text(name).flatMap(OptionSpec.truth) ?? false
    }

    /// The value of an integer, or its default.
    package func integer(_ name: String) -> Int? { text(name).flatMap { Int($0) } }

    /// The value of a number, of seconds or others, or its default.
    package func number(_ name: String) -> Double? { text(name).flatMap { Double($0) } }

    /// The value of a number of bytes, or its default.
    package func byteCount(_ name: String) -> Int? { text(name).flatMap(OptionSpec.byteCount) }

    private func spec(_ name: String) -> OptionSpec {
        guard let spec = specs.first(where: { $0.name == name }) else {
            preconditionFailure("Settings: no option '\(name)'")
        }
        return spec
    }

    // MARK: Flags

    private mutating func readFlags(_ arguments: [String], verb: String) throws(UsageError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                positionals += rest
                return
            }
            if argument.hasPrefix("-"), argument != "-" {
                try readFlag(argument, &rest, verb: verb)
            } else {
                positionals.append(argument)
            }
        }
    }

    private mutating func readFlag(
        _ argument: String, _ rest: inout ArraySlice<String>, verb: String
    ) throws(UsageError) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let flag = String(parts[0])
        guard let spec = specs.first(where: { $0.flag == flag }) else {
            throw .unknownOption(
                flag, verb: verb, nearest: Suggestion.nearest(to: flag, among: specs.map(\.flag)))
        }
        let value: String
        if parts.count == 2 {
            value = String(parts[1])
        } else if spec.shape == .flag {
            value = "true"
        } else if let next = rest.popFirst(), !next.hasPrefix("--") {
            value = next
        } else {
            throw .missingValue(option: flag, placeholder: spec.placeholder)
        }
        try add([value], to: spec, from: .flag(flag))
    }

    // MARK: Variables

    private mutating func readVariables(
        _ environment: [String: String], known: Set<String>
    ) throws(UsageError) {
        let readable = specs.filter { !$0.isFlagOnly }
        let names = readable.map(\.variable) + known
        // In order of name, so that the same environment always gives the same message.
        for (name, value) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("FOVEA_") {
            if let spec = readable.first(where: { $0.variable == name }) {
                // Compose files pass what is not set as empty.
                guard !value.isEmpty, !has(spec.name) else { continue }
                let values = spec.shape == .list ? Self.split(value) : [value]
                try add(values, to: spec, from: .variable(name))
            } else if !known.contains(name), !name.hasPrefix("FOVEA_TEST_") {
                throw .unknownVariable(
                    name, nearest: Suggestion.nearest(to: name, among: names.sorted()))
            }
        }
    }

    private static func split(_ value: String) -> [String] {
        value.split(separator: ",", omittingEmptySubsequences: false).map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }

    // MARK: The file

    private mutating func readFile(_ file: ConfigurationFile) throws(UsageError) {
        let readable = specs.filter { !$0.isFlagOnly && $0.name != "config" }
        for (key, value) in file.members {
            guard let spec = readable.first(where: { $0.key == key }) else {
                throw .unknownKey(
                    key, file: file.path,
                    nearest: Suggestion.nearest(to: key, among: readable.map(\.key)))
            }
            let source = SettingSource.key(key, file: file.path)
            let texts = try Self.texts(value, for: spec, source)
            if !has(spec.name) {
                try add(texts, to: spec, from: source)
            } else {
                try check(texts, spec, source)
            }
        }
    }

    /// The texts that a flag would have given.
    private static func texts(
        _ value: JSONValue, for spec: OptionSpec, _ source: SettingSource
    ) throws(UsageError) -> [String] {
        switch (spec.shape, value) {
        case (.flag, .truth(let truth)): return [String(truth)]
        case (.integer, .number(let number)), (.seconds, .number(let number)),
            (.number, .number(let number)), (.bytes, .number(let number)):
            return [Int(exactly: number).map(String.init) ?? String(number)]
        case (.text, .text(let text)), (.choice, .text(let text)), (.list, .text(let text)),
            (.bytes, .text(let text)):
            return [text]
        case (.list, .array(let elements)):
            let texts = elements.compactMap(\.text)
            if texts.count == elements.count, !texts.isEmpty { return texts }
        default: break
        }
        throw .badValue(
            source: source, seen: value.description,
            allowed: spec.shape == .list
                ? "a text or an array of texts is allowed"
                : spec.complaint(about: "") ?? "a text is allowed")
    }

    // MARK: Both

    private mutating func add(
        _ texts: [String], to spec: OptionSpec, from source: SettingSource
    ) throws(UsageError) {
        try check(texts, spec, source)
        let before = given[spec.name]
        guard before == nil || spec.shape == .list else { throw .givenTwice(source: source) }
        given[spec.name] = Given(texts: (before?.texts ?? []) + texts, source: source)
    }

    private func check(
        _ texts: [String], _ spec: OptionSpec, _ source: SettingSource
    ) throws(UsageError) {
        for text in texts {
            if let complaint = spec.complaint(about: text) {
                throw .badValue(source: source, seen: text, allowed: complaint)
            }
        }
    }
}
