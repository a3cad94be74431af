/// One setting: its flag, its environment variable, its key in the configuration file, and its line
/// in `--help` all come from this.
package struct OptionSpec: Sendable {
    /// What a value may be.
    package enum Shape: Sendable, Hashable {
        /// Present or not; as a variable or key: true or false.
        case flag
        case text
        /// Any number of values: a repeated flag, a comma-separated variable, an array in JSON.
        case list
        case integer(ClosedRange<Int>)
        case seconds(ClosedRange<Double>)
        case number(ClosedRange<Double>)
        /// A count of bytes, perhaps with KiB, MiB or GiB.
        case bytes(ClosedRange<Int>)
        case choice([String])
    }

    /// Where values may come from.
    package enum Origin: Sendable, Hashable {
        /// A flag, a variable `FOVEA_` with the name in capitals, or the configuration file.
        case anywhere
        /// The same, with a variable of that name.
        case variable(String)
        /// A flag only: for what makes sense for one command.
        case flag
    }

    /// Without dashes, such as `tls-key`.
    package let name: String
    package let shape: Shape
    /// What stands for the value in `--help`.
    package let placeholder: String
    package let summary: String
    /// The value when nothing is given, as `--help` says it; nil for none.
    package let standard: String?
    private let origin: Origin

    package init(
        _ name: String, _ shape: Shape, _ placeholder: String = "", standard: String? = nil,
        from origin: Origin = .anywhere, _ summary: String
    ) {
        (self.name, self.shape, self.placeholder) = (name, shape, placeholder)
        (self.summary, self.standard, self.origin) = (summary, standard, origin)
    }

    /// Whether only a flag can give it.
    package var isFlagOnly: Bool { origin == .flag }

    /// `--tls-key`.
    package var flag: String { "--\(name)" }
    /// `FOVEA_TLS_KEY`.
    package var variable: String {
        if case .variable(let name) = origin { return name }
        return "FOVEA_" + key.uppercased()
    }
    /// `tls_key`.
    package var key: String { String(name.map { $0 == "-" ? "_" : $0 }) }

    /// What is wrong with a value, in words that say what is allowed; nil if nothing is.
    func complaint(about value: String) -> String? {
        switch shape {
        case .flag: OptionSpec.truth(value) == nil ? "true or false is allowed" : nil
        case .text: value.isEmpty ? "it must not be empty" : nil
        case .list: value.isEmpty ? "values must not be empty" : nil
        case .integer(let range):
            Int(value).map(range.contains) == true
                ? nil : "a whole number from \(range.lowerBound) to \(range.upperBound) is allowed"
        case .seconds(let range):
            Double(value).map(range.contains) == true
                ? nil
                : "a number of seconds from \(Self.short(range.lowerBound))"
                    + " to \(Self.short(range.upperBound)) is allowed"
        case .number(let range):
            Double(value).map(range.contains) == true
                ? nil
                : "a number from \(Self.short(range.lowerBound))"
                    + " to \(Self.short(range.upperBound)) is allowed"
        case .bytes(let range):
            OptionSpec.byteCount(value).map(range.contains) == true
                ? nil
                : "a number of bytes from \(range.lowerBound) to \(range.upperBound) is allowed,"
                    + " such as 67108864 or 64MiB"
        case .choice(let choices):
            choices.contains(value) ? nil : "one of \(choices.joined(separator: ", ")) is allowed"
        }
    }

    static func truth(_ text: String) -> Bool? {
        switch text {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// Reads `4096`, `64KiB`, `64MiB` or `1GiB`.
    static func byteCount(_ text: String) -> Int? {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        let unit = units.first { text.hasSuffix($0.0) }
        guard let number = Int(text.dropLast(unit?.0.count ?? 0)), number >= 0 else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: 1 << (unit?.1 ?? 0))
        return overflow ? nil : product
    }

    private static func short(_ number: Double) -> String {
        Int(exactly: number).map(String.init) ?? String(number)
    }
}
