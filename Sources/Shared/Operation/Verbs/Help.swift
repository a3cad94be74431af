/// Writes what `--help` shows.
struct Help {
    let service: ServiceDefinition

    /// The page of the executable.
    var page: String {
        var lines = [
            "\(service.executable): \(service.summary)",
            "",
            "Usage: \(service.executable) VERB [OPTIONS]",
            "       \(service.executable) VERB --help",
            "",
            "Verbs:",
        ]
        lines += columns(
            service.allVerbs.filter { $0.run != nil }.map { ($0.name, $0.summary) })
        let later = service.allVerbs.filter { $0.run == nil }
        if !later.isEmpty {
            lines += ["", "Verbs of a later release (they end with exit code 1 until then):"]
            lines += columns(later.map { ($0.name, $0.summary) })
        }
        lines += [
            "", "Examples:",
            "  \(service.executable) serve",
            "      Answer on the default Unix socket, keep everything in ./fovea-data.",
            "  \(service.executable) health",
            "      Ask that server whether it is ready.", "",
            "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// The page of one verb.
    func page(of verb: Verb) -> String {
        var usage = "Usage: \(service.executable) \(verb.name)"
        if !verb.operands.isEmpty { usage += " \(verb.operands)" }
        if !verb.options.isEmpty { usage += " [OPTIONS]" }
        var lines = [usage, "", verb.summary]
        if verb.run == nil { lines.append("This verb comes with a later release.") }
        if !verb.options.isEmpty {
            lines += ["", "Options:"] + columns(verb.options.map { (left($0), right($0)) })
            lines += origins(verb)
        }
        if !verb.examples.isEmpty {
            lines += ["", "Examples:"]
            for example in verb.examples {
                lines += ["  \(example.command)"] + wrapped(example.meaning, indent: 6, width: 79)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func left(_ option: OptionSpec) -> String {
        option.placeholder.isEmpty ? option.flag : "\(option.flag) \(option.placeholder)"
    }

    private func right(_ option: OptionSpec) -> String {
        option.summary + (option.standard.map { " Default: \($0)" } ?? "")
    }

    /// Where else the options can be given.
    private func origins(_ verb: Verb) -> [String] {
        let named = verb.options.filter { !$0.isFlagOnly }
        guard let example = named.first else { return [] }
        var text =
            "Each option can also be a variable, such as \(example.variable)"
        if verb.options.contains(where: { $0.name == "config" }) {
            text += ", or a key of the --config file, such as \"\(example.key)\""
        }
        return [""] + wrapped(text + ". Flags win, then variables.", indent: 0, width: 79)
    }

    private func columns(_ rows: [(String, String)]) -> [String] {
        let width = min(28, (rows.map(\.0.count).max() ?? 0) + 2)
        return rows.flatMap { left, right in
            var lines = wrapped(right, indent: width + 2, width: 79)
            let start = "  " + left
            if start.count + 2 > width + 2 {
                lines.insert(start, at: 0)
            } else if let first = lines.first {
                lines[0] = start + first.dropFirst(start.count)
            }
            return lines
        }
    }

    /// The words in lines of at most `width` columns.
    private func wrapped(_ text: String, indent: Int, width: Int) -> [String] {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent + line.count + 1 + word.count > width {
                lines.append(margin + line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [margin + line]
    }
}
