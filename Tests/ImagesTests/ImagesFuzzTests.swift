import Base
import CImages
import Foundation
import TestSupport
import Testing

@testable import Images

/// Damaged files from seeds. FOVEA_FUZZ_CASES and FOVEA_FUZZ_SEED choose how much and which.
struct ImagesFuzzTests {
    private let cases = UInt64(RunSize.value("FOVEA_FUZZ_CASES", standard: 3000))
    private let firstSeed = UInt64(RunSize.value("FOVEA_FUZZ_SEED", standard: 1))
    /// Small, so that a header that grew costs no time.
    private let limits = ImageLimits(pixelsMax: 1 << 18, sideMax: 4096, framesMax: 50)

    private static let files: [[UInt8]] = {
        let folders = Golden.imageFolders
        return folders.flatMap { folder in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.sorted().filter { !$0.hasSuffix(".safetensors") && !$0.hasSuffix(".json") }
                .compactMap { try? Array(Golden.bytes(folder.appending(path: $0))) }
        }
    }()

    @Test func aDamagedFileIsDecodedOrRefused() throws {
        try #require(!Self.files.isEmpty)
        for seed in firstSeed..<firstSeed + cases {
            var random = SeededRandom(seed: seed)
            let bytes = damaged(&random)
            for rule in AlphaRule.allCases {
                do throws(ImageError) {
                    let options = DecodeOptions(alpha: rule, limits: limits)
                    let decoded = try DecodedImage(decoding: Bytes(bytes), options)
                    let image = decoded.image
                    #expect(image.pixels.count == image.width * image.height * 3, "seed \(seed)")
                } catch {
                    #expect(!error.message.isEmpty, "seed \(seed)")
                }
            }
        }
    }

    /// The fast way takes fewer files, but what it takes is what libspng makes of them.
    @Test func bothWaysToReadAPNGAgree() throws {
        let pngs = Self.files.filter { $0.starts(with: [0x89, 0x50]) }
        try #require(!pngs.isEmpty)
        var taken = 0
        for seed in firstSeed..<firstSeed + cases / 4 {
            var random = SeededRandom(seed: seed)
            let bytes = seed % 2 == 0 ? pngs[Int(seed) % pngs.count] : damaged(&random, of: pngs)
            guard let header = try? ImageHeader(reading: Bytes(bytes), limits: limits) else {
                continue
            }
            guard let fast = pixels(of: bytes, header, ci_decode_common_png) else { continue }
            let slow = pixels(of: bytes, header, ci_decode_any_png)
            #expect(slow == fast, "seed \(seed)")
            taken += 1
        }
        #expect(taken > 0)
    }

    /// A preview looks at less, but sees the same damage.
    @Test func aPreviewIsRefusedExactlyWhereItsPictureIs() throws {
        let jpegs = Self.files.filter { $0.starts(with: [0xff, 0xd8]) }
        try #require(!jpegs.isEmpty)
        var (taken, refused) = (0, 0)
        for seed in firstSeed..<firstSeed + cases / 4 {
            var random = SeededRandom(seed: seed)
            let bytes = Bytes(damaged(&random, of: jpegs))
            guard let header = try? ImageHeader(reading: bytes, limits: limits) else { continue }
            let whole = try? DecodedImage(decoding: bytes, DecodeOptions(limits: limits))
            do throws(ImageError) {
                guard let seen = try JPEGPreview(decoding: bytes, header, sideMin: 8) else {
                    continue
                }
                #expect(whole?.isDamaged == seen.isDamaged, "seed \(seed)")
                taken += 1
            } catch {
                #expect(whole == nil, "seed \(seed): \(error.message)")
                refused += 1
            }
        }
        #expect(taken > 0 && refused > 0)
    }

    @Test func randomSettingsNeverTrap() {
        for seed in firstSeed..<firstSeed + cases / 4 {
            var random = SeededRandom(seed: seed)
            let image = ImageSize(
                height: Int.random(in: 1...5000, using: &random),
                width: Int.random(in: 1...5000, using: &random))
            let patch = Int.random(in: 1...16, using: &random)
            let side = patch * 2 * Int.random(in: 1...30, using: &random)
            let pinpoints = (0..<5).map { _ in
                ImageSize(
                    height: side * Int.random(in: 1...5, using: &random),
                    width: side * Int.random(in: 1...5, using: &random))
            }
            guard
                let llava = try? LLaVANeXTTiling(tile: side, patch: patch, pinpoints: pinpoints),
                let internVL = try? InternVLTiling(tile: side, patch: patch, tileCounts: 1...12),
                let qwen = try? QwenVLTiling(patch: patch, pixels: 3136...1_003_520)
            else {
                Issue.record("seed \(seed)")
                continue
            }
            check(image, llava, internVL, qwen, seed)
        }
    }

    private func check(
        _ image: ImageSize, _ llava: LLaVANeXTTiling, _ internVL: InternVLTiling,
        _ qwen: QwenVLTiling, _ seed: UInt64
    ) {
        let plan = try? llava.plan(image)
        #expect(plan?.views.allSatisfy { $0.top >= 0 && $0.left >= 0 } ?? false, "seed \(seed)")
        let window = try? llava.visible(image)
        // Of a sliver no feature may be left; transformers then counts none either.
        #expect(window.map { $0.rows >= 0 && $0.columns >= 0 } ?? false, "seed \(seed)")
        #expect((try? internVL.tokenCount(image)) ?? 0 > 0, "seed \(seed)")
        let ratio = max(image.height, image.width) / min(image.height, image.width)
        if ratio < 200 { #expect((try? qwen.tokenCount(image)) ?? 0 > 0, "seed \(seed)") }
    }

    private func pixels(
        of bytes: [UInt8], _ header: ImageHeader,
        _ decode: (ci_input, UnsafeMutablePointer<ci_picture>, UnsafeMutablePointer<ci_message>) ->
            ci_status
    ) -> [UInt8]? {
        let channels = header.hasAlpha ? 4 : 3
        var pixels = [UInt8](repeating: 0, count: header.width * header.height * channels)
        var message = ci_message()
        let status = bytes.withUnsafeBufferPointer { source in
            pixels.withUnsafeMutableBufferPointer { target in
                var picture = ci_picture(
                    pixels: target.baseAddress, width: UInt32(header.width),
                    height: UInt32(header.height), channels: UInt32(channels), shrink: 1,
                    is_damaged: false)
                return decode(
                    ci_input(bytes: source.baseAddress, count: source.count), &picture, &message)
            }
        }
        return status == CI_OK ? pixels : nil
    }

    private func damaged(_ random: inout SeededRandom, of files: [[UInt8]] = files) -> [UInt8] {
        var bytes = files.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...4, using: &random) { random.damage(&bytes) }
        return bytes
    }
}
