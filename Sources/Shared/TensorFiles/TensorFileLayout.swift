import Base

/// Where everything of a file is going to be, decided before its first byte is written.
///
/// Equal byte for byte to what the reference library writes for the same tensors: ordered by
/// falling alignment, then by name, the header padded with spaces to a multiple of eight. The
/// library orders metadata at random; here it is ordered by name.
package struct TensorFileLayout: Sendable, Hashable {
    /// In the order in which their bytes are written.
    package let tensors: [StoredTensor]
    /// The length of the header and the header.
    let head: Bytes
    /// How many bytes the tensors take together.
    package let dataBytes: Int

    /// How long the file is going to be.
    package var fileBytes: Int { head.count + dataBytes }

    /// - Parameters:
    ///   - tensors: in any order
    ///   - metadata: free text by name, such as `format: pt`; left out where empty
    package init(
        _ tensors: [PlannedTensor], metadata: [String: String] = [:]
    ) throws(FormatError) {
        try TensorFileLayout.check(metadata)
        self.tensors = try TensorFileLayout.placed(tensors)
        dataBytes = self.tensors.last?.range.upperBound ?? 0
        let json = TensorFileLayout.json(self.tensors, metadata)
        guard json.count <= TensorFileHeader.bytesMax,
            !dataBytes.addingReportingOverflow(json.count + TensorFileHeader.lengthBytes).overflow
        else {
            throw .badHeaderLength(
                bytes: UInt64(json.count), bytesMax: TensorFileHeader.bytesMax)
        }
        let length = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) }
        head = (length + json).withUnsafeBytes { Bytes(copying: $0) }
    }

    /// What is written can be read again.
    private static func check(_ metadata: [String: String]) throws(FormatError) {
        guard metadata.count <= TensorFileHeader.metadataMax else {
            throw .tooMany(what: "metadata", countMax: TensorFileHeader.metadataMax)
        }
        for name in metadata.keys { try ExactName(name).checkLength() }
    }

    /// The tensors one after another, in the order of the reference library.
    private static func placed(_ planned: [PlannedTensor]) throws(FormatError) -> [StoredTensor] {
        guard planned.count <= TensorFileHeader.tensorsMax else {
            throw .tooMany(what: "tensors", countMax: TensorFileHeader.tensorsMax)
        }
        // Names are ordered by their bytes; Swift orders strings by their meaning.
        let sorted = planned.sorted { a, b in
            a.type != b.type
                ? a.type > b.type : a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
        }
        var (end, names): (Int, Set<ExactName>) = (0, [])
        var tensors: [StoredTensor] = []
        tensors.reserveCapacity(sorted.count)
        for tensor in sorted {
            let name = try name(of: tensor)
            guard names.insert(name).inserted else { throw .duplicate(name: tensor.name) }
            let (sum, overflows) = end.addingReportingOverflow(try tensor.byteCount())
            guard !overflows else { throw .tooLarge(tensor: tensor.name, shape: tensor.shape) }
            tensors.append(
                StoredTensor(
                    name: tensor.name, type: tensor.type, shape: tensor.shape, range: end..<sum))
            end = sum
        }
        return tensors
    }

    private static func name(of tensor: PlannedTensor) throws(FormatError) -> ExactName {
        let name = ExactName(tensor.name)
        guard name != TensorFileHeader.metadataName else { throw .reservedName }
        try name.checkLength()
        return name
    }

    private static func json(_ tensors: [StoredTensor], _ metadata: [String: String]) -> [UInt8] {
        var json = Array("{".utf8)
        if !metadata.isEmpty { append(metadata, to: &json) }
        for tensor in tensors {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            JSONQuoting.append(tensor.name, to: &json)
            json += ":{\"dtype\":\"".utf8
            json += tensor.type.name.utf8
            json += "\",\"shape\":[".utf8
            json += tensor.shape.map(String.init).joined(separator: ",").utf8
            json += "],\"data_offsets\":[".utf8
            json += "\(tensor.range.lowerBound),\(tensor.range.upperBound)]}".utf8
        }
        json.append(UInt8(ascii: "}"))
        while !json.count.isMultiple(of: 8) { json.append(UInt8(ascii: " ")) }
        return json
    }

    private static func append(_ metadata: [String: String], to json: inout [UInt8]) {
        let members = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        JSONQuoting.append(TensorFileHeader.metadataName.text, to: &json)
        json += ":{".utf8
        for (index, member) in members.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            JSONQuoting.append(member.key, to: &json)
            json.append(UInt8(ascii: ":"))
            JSONQuoting.append(member.value, to: &json)
        }
        json.append(UInt8(ascii: "}"))
    }
}
