// SPDX-License-Identifier: Apache-2.0

extension IPAddress {
    /// True for what no DNS name opens: this host's inside, the link, groups, metadata services; also behind NAT64.
    ///
    /// `is_never_opened` of bpf/lib/dns_message.h says the same where answers are read.
    package var isNeverOpenedByName: Bool {
        if isIPv4 { return IPAddress.isSpecial(v4Bits) }
        if high == 0 { return true }
        if high == 0x0064_ff9b_0000_0000, low >> 32 == 0 { return IPAddress.isSpecial(v4Bits) }
        return high >> 56 == 0xff || high >> 54 == 0xfe80 >> 6 || high == 0xfd00_0ec2_0000_0000
            || (high == 0xfd20_00ce_0000_0000 && low == 0x254)
    }

    private static func isSpecial(_ bits: UInt32) -> Bool {
        let first = bits >> 24
        // Link-local, where most metadata services are, and the addresses of those of three clouds elsewhere.
        return first == 0 || first == 127 || first >= 224 || bits >> 16 == 0xa9fe || bits == 0x6464_64c8
            || bits == 0xa83f_8110 || bits == 0xc000_00c0
    }
}
