import CNGHTTP2

/// Header fields that never change, made once.
struct ConstantFields: @unchecked Sendable {
    // Immortal memory that is never written again.
    let fields: UnsafeBufferPointer<nghttp2_nv>

    static let response = ConstantFields([
        (":status", "200"), ("content-type", "application/grpc"),
        ("grpc-accept-encoding", "identity,gzip"),
    ])
    static let successTrailers = ConstantFields([("grpc-status", "0")])

    private init(_ pairs: [(String, String)]) {
        let list = UnsafeMutableBufferPointer<nghttp2_nv>.allocate(capacity: pairs.count)
        let flags = NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue
        func immortal(_ text: String) -> UnsafeMutablePointer<UInt8> {
            let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count + 1)
            _ = copy.initialize(from: Array(text.utf8) + [0])
            return copy.baseAddress!
        }
        for (index, pair) in pairs.enumerated() {
            list.initializeElement(
                at: index,
                to: nghttp2_nv(
                    name: immortal(pair.0), value: immortal(pair.1), namelen: pair.0.utf8.count,
                    valuelen: pair.1.utf8.count, flags: UInt8(flags)))
        }
        fields = UnsafeBufferPointer(list)
    }
}
