// SPDX-License-Identifier: Apache-2.0

/// Copies a C record out of raw bytes; nil if the bytes are too short.
///
/// Alignment does not matter.
///
/// The one place where kernel bytes become a typed value: the length is checked here and every bit pattern of a
/// `BitwiseCopyable` C struct (integers only, by the rule of `bpf/abi`) is a valid value, so nothing else can go wrong.
@inline(__always)
package func loadRecord<Record: BitwiseCopyable>(_ type: Record.Type, from bytes: RawSpan) -> Record? {
    guard bytes.byteCount >= MemoryLayout<Record>.size else { return nil }
    return unsafe bytes.unsafeLoadUnaligned(as: Record.self)
}
