/// A tensor that is going to be written: all but its place and its bytes.
package struct PlannedTensor: Sendable, Hashable {
    package let name: String
    package let type: StoredType
    package let shape: [Int]

    package init(_ name: String, _ type: StoredType, _ shape: [Int]) {
        (self.name, self.type, self.shape) = (name, type, shape)
    }

    /// How many bytes the elements take; throws where no file could hold them.
    ///
    /// A product that overflows counts even where a later axis is empty, as in the reference.
    package func byteCount() throws(FormatError) -> Int {
        guard shape.count <= TensorFileHeader.axesMax else {
            throw .tooMany(
                what: "numbers in shape of \(shown(name))", countMax: TensorFileHeader.axesMax)
        }
        var elements = 1
        for length in shape {
            guard length >= 0 else {
                throw .notACount(tensor: name, field: "shape", seen: String(length))
            }
            elements = try multiply(elements, length)
        }
        let bits = try multiply(elements, type.bits)
        guard bits.isMultiple(of: 8) else { throw .partialByte(tensor: name, bits: bits) }
        return bits / 8
    }

    private func multiply(_ a: Int, _ b: Int) throws(FormatError) -> Int {
        let (product, overflows) = a.multipliedReportingOverflow(by: b)
        guard !overflows else { throw .tooLarge(tensor: name, shape: shape) }
        return product
    }
}

/// An entry of a file's header.
package struct StoredTensor: Sendable, Hashable {
    package let name: String
    package let type: StoredType
    package let shape: [Int]
    /// Where its bytes are, counted from the end of the header; not aligned to anything.
    package let range: Range<Int>
}
