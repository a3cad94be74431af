package import Base

/// A value that goes into a statement.
package enum SQLValue: Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob(Bytes)

    /// Any whole number that fits 64 bits.
    package init(_ value: Int) { self = .integer(Int64(value)) }

    /// The bits as a signed number; `Row.bits` gives them back.
    package init(bits: UInt64) { self = .integer(Int64(bitPattern: bits)) }

    /// 1 or 0.
    package init(_ value: Bool) { self = .integer(value ? 1 : 0) }

    /// The text, or NULL.
    package init(_ value: String?) { self = value.map { .text($0) } ?? .null }
}

extension SQLValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(stringLiteral value: String) { self = .text(value) }
}
