package import Base
internal import CKernels

// Elements of `Tensor.uniform` are `uniform(at:)` of their key, bit for bit.
extension RandomKey {
    /// A normal number: element `index` of `Tensor.normal`, bit for bit.
    package func normal(at index: Int) -> Float {
        let pair = [word(at: index & ~1), word(at: index | 1)]
        let normals = [Float](unsafeUninitializedCapacity: 2) { normals, count in
            ck_philox_normals(pair, normals.baseAddress)
            count = 2
        }
        return normals[index & 1]
    }

    /// What kernels take of it.
    var numbers: [Int] { [Int(bitPattern: UInt(key)), Int(bitPattern: UInt(stream))] }
}
