/// A day of the Gregorian calendar, in UTC.
package struct CivilDate: Sendable, Hashable, Comparable {
    package let year, month, day: Int

    /// The day that holds the moment `unixSeconds`.
    ///
    /// Days are counted from 1 March of year 0, so that the leap day ends a year; see Howard
    /// Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    package init(unixSeconds: Int64) {
        let days = floorDivide(unixSeconds, 86_400) + 719_468
        let era = floorDivide(days, 146_097)
        let dayOfEra = days - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shifted + 2) / 5 + 1)
        month = Int(shifted < 10 ? shifted + 3 : shifted - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    /// Reads `2026-12-31`; nil if it is not such a day.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [4, 2, 2],
            parts.allSatisfy({ $0.allSatisfy { (0x30...0x39).contains($0) } })
        else { return nil }
        let numbers = parts.map { $0.reduce(0) { $0 * 10 + Int($1) - 0x30 } }
        (year, month, day) = (numbers[0], numbers[1], numbers[2])
        guard (1...12).contains(month), day >= 1, self == CivilDate(unixSeconds: unixSeconds) else {
            return nil
        }
    }

    /// The first second of the day, since 1970.
    package var unixSeconds: Int64 {
        let shiftedYear = Int64(year) - (month <= 2 ? 1 : 0)
        let era = floorDivide(shiftedYear, 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era * 146_097 + dayOfEra - 719_468) * 86_400
    }

    package static func < (a: CivilDate, b: CivilDate) -> Bool {
        (a.year, a.month, a.day) < (b.year, b.month, b.day)
    }
}

extension CivilDate: CustomStringConvertible {
    /// `2026-12-31`.
    package var description: String {
        "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }
}

/// The time of day as `hh:mm:ss.mmm`, UTC.
func timeOfDay(unixNanoseconds: Int64) -> String {
    let milliseconds = floorDivide(unixNanoseconds, 1_000_000)
    let ofDay = Int(milliseconds - floorDivide(milliseconds, 86_400_000) * 86_400_000)
    let seconds = ofDay / 1_000
    return "\(padded(seconds / 3_600, 2)):\(padded(seconds / 60 % 60, 2))"
        + ":\(padded(seconds % 60, 2)).\(padded(ofDay % 1_000, 3))"
}

private func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    a >= 0 ? a / b : -((b - 1 - a) / b)
}

private func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
