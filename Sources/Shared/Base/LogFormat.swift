/// How log lines look.
package enum LogFormat: String, Sendable, CaseIterable {
    /// One JSON object a line, for programs.
    case json
    /// Words for a terminal.
    case text

    /// The line with its newline.
    package func line(_ record: Log.Record) -> [UInt8] {
        switch self {
        case .json: jsonLine(record)
        case .text: textLine(record)
        }
    }

    private func jsonLine(_ record: Log.Record) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.member("time", timestamp(record.unixNanoseconds))
            json.member("level", record.level.name)
            json.member("message", record.message)
            for field in record.fields {
                switch field.value {
                case .text(let text): json.member(field.name, text)
                case .integer(let number): json.member(field.name, number)
                case .number(let number): json.member(field.name, number)
                case .truth(let truth): json.member(field.name, truth)
                }
            }
        }
        json.newline()
        return json.utf8
    }

    private func textLine(_ record: Log.Record) -> [UInt8] {
        var line = timeOfDay(unixNanoseconds: record.unixNanoseconds)
        line += " " + padded(record.level.name.uppercased(), 7) + " " + printable(record.message)
        for field in record.fields {
            line += " \(field.name)="
            switch field.value {
            case .text(let text): line += quotedIfNeeded(text)
            case .integer(let number): line += String(number)
            case .number(let number): line += String(number)
            case .truth(let truth): line += String(truth)
            }
        }
        return Array(line.utf8) + [UInt8(ascii: "\n")]
    }

    /// RFC 3339 in UTC with milliseconds.
    private func timestamp(_ unixNanoseconds: Int64) -> String {
        let seconds = (unixNanoseconds - (unixNanoseconds < 0 ? 999_999_999 : 0)) / 1_000_000_000
        return "\(CivilDate(unixSeconds: seconds))T\(timeOfDay(unixNanoseconds: unixNanoseconds))Z"
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func quotedIfNeeded(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x3d }
        if isPlain, !text.isEmpty { return text }
        var json = JSONText()
        json.value(text)
        return json.text
    }

    /// The text with control characters escaped, so that no peer can write to a terminal.
    private func printable(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return text }
        var json = JSONText()
        json.value(text)
        return String(json.text.dropFirst().dropLast())
    }
}
