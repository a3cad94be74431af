import Base
import Foundation
import TestSupport
import Testing

@testable import Images

/// Files that lie, end early or ask for too much are refused before memory is spent on them.
struct HostileImageTests {
    private func error(_ bytes: [UInt8], _ limits: ImageLimits = ImageLimits()) -> ImageError? {
        do throws(ImageError) {
            _ = try DecodedImage(decoding: Bytes(bytes), DecodeOptions(limits: limits))
            return nil
        } catch {
            return error
        }
    }

    @Test func aVastPNGIsRefusedFromItsHeader() {
        let png = RawFile.png(width: 100_000, height: 100_000)
        let expected = ImageError.sideTooLong(width: 100_000, height: 100_000, sideMax: 32_768)
        #expect(error(png) == expected)
        let wide = ImageLimits(sideMax: 1 << 20)
        #expect(
            error(png, wide)
                == .tooManyPixels(width: 100_000, height: 100_000, pixelsMax: 1 << 26))
        #expect(error(RawFile.png(width: 1 << 31, height: 1 << 31), wide)?.reason != nil)
    }

    @Test func aVastTIFFIsRefusedFromItsHeader() {
        let tags = [(256, 60_000), (257, 60_000), (262, 1), (258, 8)]
        #expect(
            error(RawFile.tiff(tags))
                == .sideTooLong(width: 60_000, height: 60_000, sideMax: 32_768))
    }

    @Test func aTIFFWithAVastTileTakesNoMemory() {
        // A picture of 16 x 16 in one tile of 60,000 x 60,000.
        let tags = [
            (256, 16), (257, 16), (258, 8), (259, 8), (262, 1), (277, 1), (322, 60_000),
            (323, 60_000), (324, 8), (325, 100),
        ]
        let before = ProcessMemory.residentBytes()
        guard case .broken(.tiff, let text) = error(RawFile.tiff(tags)) else {
            Issue.record("the file was taken")
            return
        }
        #expect(!text.isEmpty)
        #expect(ProcessMemory.residentBytes() - before < 64 << 20)
    }

    @Test func aTIFFWhosePagesRunInACircleIsRefused() {
        var tiff = RawFile.tiff([(256, 4), (257, 4), (262, 1), (258, 8)])
        // The last four bytes are the offset of the next page: the first one again.
        tiff.replaceSubrange(tiff.count - 4..<tiff.count, with: [8, 0, 0, 0])
        #expect(error(tiff) == .tooManyFrames(countAtLeast: 1001, max: 1000))
    }

    @Test func limitsAreCheckedOneByOne() throws {
        let png = Array(try RGBImage(width: 40, height: 30, filledWith: 9).png())
        #expect(
            error(png, ImageLimits(bytesMax: 10)) == .tooManyBytes(count: png.count, max: 10))
        #expect(
            error(png, ImageLimits(pixelsMax: 1199))
                == .tooManyPixels(width: 40, height: 30, pixelsMax: 1199))
        #expect(
            error(png, ImageLimits(sideMax: 39))
                == .sideTooLong(width: 40, height: 30, sideMax: 39))
        #expect(error(png, ImageLimits(pixelsMax: 1200, sideMax: 40)) == nil)
        #expect(error(RawFile.png(width: 0, height: 7)) == .badSize(width: 0, height: 7))
    }

    @Test func manyFramesAreRefused() throws {
        for folder in Golden.imageFolders {
            let file = folder.appending(path: "webp_animated.webp")
            guard Golden.exists(file) else { continue }
            let bytes = Array(try Golden.bytes(file))
            let header = try ImageHeader(reading: Bytes(bytes))
            #expect(header.hasMoreFrames && header.frameCount == 2)
            #expect(
                error(bytes, ImageLimits(framesMax: 1))
                    == .tooManyFrames(countAtLeast: 2, max: 1))
        }
    }

    @Test func whatIsNoImageIsNamed() {
        #expect(error([]) == .unknownFormat(firstBytes: []))
        let text = Array("<html><body>".utf8)
        #expect(error(text) == .unknownFormat(firstBytes: Array(text.prefix(8))))
        #expect(ImageError.unknownFormat(firstBytes: [1, 0xff]).message.hasSuffix("[01 ff]"))
    }

    /// Pillow refuses such files too; the worst outcome would be a picture half grey.
    @Test func everyTruncatedFileIsRefused() throws {
        let image = RawFile.noise(width: 61, height: 47)
        for file in [Array(try image.png()), Array(try image.jpeg())] {
            for count in stride(from: 0, to: file.count - 16, by: 7) {
                let cut = error(Array(file.prefix(count)))
                #expect(cut != nil, "\(count) of \(file.count)")
            }
        }
    }

    @Test func everyTruncatedGoldenIsRefusedOrWhole() throws {
        for folder in Golden.imageFolders {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            for name in names.sorted() where !name.contains(".safetensors") {
                let bytes = Array(try Golden.bytes(folder.appending(path: name)))
                for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 40)) {
                    let cut = error(Array(bytes.prefix(count)))
                    #expect(cut.map { !$0.message.isEmpty } ?? true, "\(name), \(count)")
                }
            }
        }
    }

    @Test func aFileThatContradictsItselfIsRefused() throws {
        let jpeg = Array(try RawFile.noise(width: 24, height: 24).jpeg())
        // A second frame header, larger than the first, which the library may find instead.
        let frame = try #require(
            (0..<jpeg.count - 1).first { jpeg[$0...].starts(with: [0xff, 0xc0]) })
        var segment = Array(jpeg[frame..<frame + 19])
        segment[5] = 0x40
        let doubled = Array(jpeg[..<frame]) + segment + Array(jpeg[frame...])
        #expect(error(doubled) != nil)
    }

    @Test func errorsSayWhatWasSeen() {
        let all: [ImageError] = [
            .truncated(.png, byteCount: 7), .broken(.jpeg, "x"), .unsupported(.tiff, "y"),
            .tooManyBytes(count: 2, max: 1), .tooManyPixels(width: 3, height: 4, pixelsMax: 5),
            .tooManyFrames(countAtLeast: 6, max: 5), .badSize(width: 0, height: 1),
            .badAspect(width: 1, height: 900, ratioMax: 200), .noMemory(bytesWanted: 8),
            .badSetting(name: "a", value: "b"), .sideTooLong(width: 1, height: 2, sideMax: 1),
        ]
        #expect(Set(all.map(\.message)).count == all.count)
        #expect(all.allSatisfy { !$0.reason.isEmpty })
        #expect(ImageError.tooManyBytes(count: 2, max: 1).kind == .invalidInput)
    }
}
