/// The tags of a TIFF file: a chain of directories. EXIF blocks have the same structure.
struct TIFFStructure {
    let reader: ByteReader
    let isBig: Bool
    let firstDirectory: Int

    init?(_ reader: ByteReader) {
        var reader = reader
        reader.isBigEndian = reader.matches("MM", at: 0)
        guard reader.isBigEndian || reader.matches("II", at: 0) else { return nil }
        guard let magic = reader.two(2), magic == 42 || magic == 43 else { return nil }
        isBig = magic == 43
        guard let first = reader.number(isBig ? 8 : 4, width: isBig ? 8 : 4) else { return nil }
        (self.reader, firstDirectory) = (reader, first)
    }

    func directory(at offset: Int) -> TIFFDirectory? {
        let countWidth = isBig ? 8 : 2
        guard offset > 0, let count = reader.number(offset, width: countWidth) else { return nil }
        let entryWidth = isBig ? 20 : 12
        let start = offset + countWidth
        guard count <= (reader.count - start) / entryWidth else { return nil }
        return TIFFDirectory(reader: reader, isBig: isBig, start: start, count: count)
    }

    /// How many directories follow one another, up to one more than `max`.
    func directoryCount(max: Int) -> Int {
        var (offset, count) = (firstDirectory, 0)
        while count <= max, let directory = directory(at: offset) {
            count += 1
            guard let next = directory.next, next > 0 else { break }
            offset = next
        }
        return count
    }
}

/// One directory, whose entries lie within the file.
struct TIFFDirectory {
    let reader: ByteReader
    let isBig: Bool
    let start: Int
    let count: Int

    private var entryWidth: Int { isBig ? 20 : 12 }
    private var fieldWidth: Int { isBig ? 8 : 4 }

    /// Where the next directory starts; 0 after the last.
    var next: Int? { reader.number(start + count * entryWidth, width: fieldWidth) }

    /// The first number of a tag.
    func number(_ tag: Int) -> Int? { numbers(tag, max: 1)?.first }

    /// The first values of a tag that holds whole numbers.
    func numbers(_ tag: Int, max: Int) -> [Int]? {
        guard let entry = entry(tag), let type = reader.two(entry + 2),
            let count = reader.number(entry + 4, width: fieldWidth),
            let width = [1: 1, 3: 2, 4: 4, 16: 8][type]
        else { return nil }
        let taken = min(count, max)
        var place = entry + 4 + fieldWidth
        if count > fieldWidth / width {
            guard let offset = reader.number(place, width: fieldWidth) else { return nil }
            place = offset
        }
        guard place >= 0, place <= reader.count else { return nil }
        let values = (0..<taken).compactMap { reader.number(place + $0 * width, width: width) }
        return values.count == taken ? values : nil
    }

    private func entry(_ tag: Int) -> Int? {
        let entries = (0..<count).lazy.map { start + $0 * entryWidth }
        return entries.first { reader.two($0) == tag }
    }
}

/// What a TIFF file says about its first page.
enum TIFFHeader {
    private enum Tag {
        static let width = 256
        static let height = 257
        static let photometric = 262
        static let samplesPerPixel = 277
        static let extraSamples = 338
    }

    static func read(_ reader: ByteReader, pagesMax: Int) throws(ImageError) -> ImageHeader {
        guard let file = TIFFStructure(reader) else { throw .broken(.tiff, "no directory") }
        guard let page = file.directory(at: file.firstDirectory) else {
            throw .truncated(.tiff, byteCount: reader.count)
        }
        guard let width = page.number(Tag.width), let height = page.number(Tag.height) else {
            throw .broken(.tiff, "no width and height")
        }
        var header = ImageHeader(.tiff, width: width, height: height)
        header.orientation = page.number(Orientation.tag).flatMap(Orientation.init) ?? .upright
        header.hasAlpha = hasAlpha(page)
        header.frameCount = file.directoryCount(max: pagesMax)
        return header
    }

    /// As Pillow has it: a fourth sample of RGB is alpha unless the file says it is something else.
    private static func hasAlpha(_ page: TIFFDirectory) -> Bool {
        let samples = page.number(Tag.samplesPerPixel) ?? 1
        let extra = page.number(Tag.extraSamples)
        switch page.number(Tag.photometric) ?? 0 {
        case 2: return samples >= 4 && extra != 0
        case 0, 1, 3: return samples == 2 && extra == 2
        default: return false
        }
    }
}
