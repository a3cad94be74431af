/// Which file of a checkpoint holds which tensor: `model.safetensors.index.json`.
///
/// Only `weight_map` is read. `metadata.total_size` is for people, and wrong in enough published
/// models that nobody checks it.
struct CheckpointIndex: Hashable {
    static let bytesMax = 256 << 20
    /// The most tensors that an index may name.
    static let tensorsMax = 1 << 20

    /// A tensor and the file that should hold it.
    struct Place: Hashable {
        let tensor: String
        let file: String
    }

    /// In the order of the index.
    let places: [Place]

    init(reading json: UnsafeRawBufferPointer) throws(FormatError) {
        guard json.count <= CheckpointIndex.bytesMax else {
            throw .indexTooLong(bytes: json.count, bytesMax: CheckpointIndex.bytesMax)
        }
        var reader = JSONReader(json)
        var places: [Place]?
        try reader.object { (reader, name) throws(FormatError) in
            guard name == "weight_map" else { return try reader.skip() }
            guard places == nil else { throw .duplicate(name: name.text) }
            places = try CheckpointIndex.places(&reader)
        }
        try reader.end()
        guard let places else { throw .missing(field: "weight_map", of: "the index") }
        self.places = places
    }

    private static func places(_ reader: inout JSONReader) throws(FormatError) -> [Place] {
        var places: [Place] = []
        var names: Set<ExactName> = []
        try reader.object { (reader, tensor) throws(FormatError) in
            guard names.count < CheckpointIndex.tensorsMax else {
                throw .tooMany(what: "tensors", countMax: CheckpointIndex.tensorsMax)
            }
            guard names.insert(tensor).inserted else { throw .duplicate(name: tensor.text) }
            let file = try reader.string()
            guard Folder.isPlain(file) else { throw .shardOutsideFolder(tensor: tensor.text) }
            places.append(Place(tensor: tensor.text, file: file))
        }
        return places
    }
}
