// SPDX-License-Identifier: Apache-2.0

/// The `sz` of a libbpf option structure: up to and with its last field.
///
/// Not `MemoryLayout.size`: libbpf wants every byte after the fields it knows to be zero, and Swift leaves the padding
/// at the end as it happens to be.
func optionsSize<Options, Field>(upTo last: KeyPath<Options, Field>) -> Int {
    let offset = MemoryLayout<Options>.offset(of: last)
    precondition(offset != nil, "an option structure has stored fields only")
    return (offset ?? 0) + MemoryLayout<Field>.size
}
