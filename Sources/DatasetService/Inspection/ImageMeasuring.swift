import Base
import Digests
import Images
import Quality
import Resources
import Storage

/// What was measured on one image, in single precision: there may be a million of them.
struct StoredMeasures: Sendable {
    private let values: (Float, Float, Float, Float, Float, Float, Float)

    fileprivate init(_ row: Row) {
        func value(_ column: Int32) -> Float { Float(row.double(column)) }
        values = (
            value(0), value(1), value(2), value(3), value(4), value(5),
            row.isNull(6) ? .nan : value(6)
        )
    }

    fileprivate init(_ measures: ImageMeasures) {
        let numbers = measures.numbers.map { Float($0) }
        values = (
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]
        )
    }

    /// The numbers in the order of `ImageMeasures.numbers`.
    var numbers: [Double] {
        [values.0, values.1, values.2, values.3, values.4, values.5, values.6].map { Double($0) }
    }
}

extension Catalogue {
    /// Images that one thread measures before what it found is kept.
    private static let batch = 32
    /// Images asked for in one read.
    private static let readBatch = 10_000

    /// Measures images, or remembers what was measured: the second inspection decodes nothing.
    /// nil for images that were erased meanwhile.
    func measures(_ digests: [Digest256]) async throws -> [StoredMeasures?] {
        var found = [StoredMeasures?](repeating: nil, count: digests.count)
        for start in stride(from: 0, to: digests.count, by: Self.readBatch) {
            let part = digests[start..<min(start + Self.readBatch, digests.count)]
            let known = try await scanner.read { db in try part.map { try db.measures($0) } }
            for (index, measures) in known.enumerated() { found[start + index] = measures }
        }
        let missing = found.indices.filter { found[$0] == nil }
        let batch = Self.batch * pictureReaders.count
        for start in stride(from: 0, to: missing.count, by: batch) {
            try Task.checkCancellation()
            let part = Array(missing[start..<min(start + batch, missing.count)])
            let measured = try await measure(part.map { digests[$0] })
            for (place, measures) in zip(part, measured) { found[place] = measures }
        }
        return found
    }

    /// Measures images on all threads that read them, and keeps what was found.
    private func measure(_ digests: [Digest256]) async throws -> [StoredMeasures?] {
        let readers = pictureReaders
        let measured = try await withThrowingTaskGroup(
            of: (Int, [ImageMeasures?]).self
        ) { group in
            for (number, reader) in readers.enumerated() {
                let places = stride(from: number, to: digests.count, by: readers.count)
                let part = places.map { digests[$0] }
                guard !part.isEmpty else { continue }
                group.addTask { (number, try await reader.measures(part)) }
            }
            var results = [ImageMeasures?](repeating: nil, count: digests.count)
            for try await (number, part) in group {
                for (index, found) in part.enumerated() {
                    results[number + index * readers.count] = found
                }
            }
            return results
        }
        try await writer.write { db in
            for (digest, measures) in zip(digests, measured) {
                if let measures { try db.keep(measures, of: digest) }
            }
        }
        return measured.map { $0.map { StoredMeasures($0) } }
    }
}

extension Connection {
    fileprivate func measures(_ digest: Digest256) throws -> StoredMeasures? {
        try first(
            """
            SELECT brightness, darkest, lightest, contrast, sharpness, entropy, chroma
            FROM images JOIN image_measures ON image_id = images.id WHERE sha = ?
            """, SQLValue(digest)
        ) { StoredMeasures($0) }
    }

    fileprivate func keep(_ measures: ImageMeasures, of digest: Digest256) throws {
        let numbers = measures.numbers
        try run(
            """
            INSERT OR IGNORE INTO image_measures SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8
            FROM images WHERE sha = ?1
            """, SQLValue(digest), .real(numbers[0]), .real(numbers[1]), .real(numbers[2]),
            .real(numbers[3]), .real(numbers[4]), .real(numbers[5]),
            measures.chroma.map { .real($0) } ?? .null)
    }
}

extension PictureReader {
    /// Measures stored images; nil for those that are gone.
    fileprivate func measures(_ digests: [Digest256]) throws -> [ImageMeasures?] {
        try digests.map { digest in
            try Task.checkCancellation()
            guard contains(digest) else { return nil }
            let bytes = try contents([digest.hex], side: 0)[0]
            let decoded = try DecodedImage(
                decoding: bytes,
                DecodeOptions(limits: Self.limits, sideEnough: ImageMeasures.sidePixels))
            // Stored images stand upright, so the header's sides are the picture's.
            return try ImageMeasures(
                decoded.image, width: decoded.header.width, height: decoded.header.height)
        }
    }
}
