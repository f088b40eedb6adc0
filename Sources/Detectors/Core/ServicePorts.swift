// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Ports that mean something to detectors.
enum ServicePorts {
    /// Services that answer forged questions with more than they got (Rossow 2014, US-CERT TA14-017A).
    static let reflectors: [UInt16: String] = [
        17: "QOTD", 19: "chargen", 53: "DNS", 69: "TFTP", 111: "portmapper", 123: "NTP", 137: "NetBIOS", 161: "SNMP",
        389: "CLDAP", 427: "SLP", 500: "IKE", 520: "RIP", 1434: "MS-SQL browser", 1900: "SSDP", 3283: "ARD",
        3389: "RDP", 3702: "WS-Discovery", 5093: "Sentinel", 5351: "NAT-PMP", 5353: "mDNS", 5683: "CoAP",
        10001: "Ubiquiti discovery", 11211: "memcached", 27015: "Source engine", 37810: "DVR",
    ]

    /// Where a connection begins with a password, and the most payload bytes that a client sends in a failed attempt.
    ///
    /// SSH: OpenSSH 9.2 sends 2929 to 3265 bytes with up to three wrong passwords, and 3673 with a right key and a command.
    static let logins: [UInt16: (name: String, bytes: UInt32)] = [
        21: ("FTP", 3000), 22: ("SSH", 3500), 23: ("Telnet", 3000), 25: ("SMTP", 4000), 110: ("POP3", 3000),
        139: ("SMB", 6000), 143: ("IMAP", 3000), 389: ("LDAP", 3000), 445: ("SMB", 6000), 465: ("SMTP", 5000),
        587: ("SMTP", 5000), 636: ("LDAP", 5000), 990: ("FTP", 5000), 993: ("IMAP", 5000), 995: ("POP3", 5000),
        1433: ("SQL Server", 3000), 1521: ("Oracle", 5000), 2200: ("SSH", 3500), 2222: ("SSH", 3500),
        3050: ("Firebird", 3000), 3306: ("MySQL", 2500), 3307: ("MySQL", 2500), 3389: ("RDP", 8000),
        5432: ("PostgreSQL", 2500), 5433: ("PostgreSQL", 2500), 5900: ("VNC", 2000), 5901: ("VNC", 2000),
        5902: ("VNC", 2000), 5903: ("VNC", 2000), 5904: ("VNC", 2000), 5905: ("VNC", 2000), 5985: ("WinRM", 5000),
        5986: ("WinRM", 7000), 6379: ("Redis", 1500), 9042: ("Cassandra", 3000), 22_222: ("SSH", 3500),
        27_017: ("MongoDB", 3000), 33_060: ("MySQL", 3000), 50_000: ("DB2", 3000),
    ]

    /// Logins that many strangers have no reason to try: not those of mail and directories, which have many users.
    static let administration: Set<String> = [
        "SSH", "FTP", "Telnet", "SMB", "RDP", "VNC", "WinRM", "SQL Server", "Oracle", "MySQL", "PostgreSQL", "Redis",
        "MongoDB", "Firebird", "Cassandra", "DB2",
    ]

    /// Of these, where programs keep pools of connections.
    static let databases: Set<String> = [
        "SQL Server", "Oracle", "MySQL", "PostgreSQL", "Redis", "MongoDB", "Firebird", "Cassandra", "DB2", "LDAP",
    ]

    /// Services that ask again and again by design: name, time, address and service discovery.
    static let periodic: Set<UInt16> = [53, 67, 68, 123, 137, 138, 161, 162, 514, 547, 853, 1900, 5351, 5353, 5355]

    /// Where traceroute sends its datagrams.
    static let traceroute: ClosedRange<UInt16> = 33_434...33_689

    /// From here on clients choose their own ports (Linux).
    static let firstEphemeral: UInt16 = 32_768
}

extension IPAddress {
    /// True for addresses that are never routed between networks: private, shared, link-local, loopback (RFC 1918, 6598,
    /// 3927, 4193, 4291).
    var isPrivate: Bool {
        if isIPv4 {
            let bits = v4Bits
            return bits >> 24 == 10 || bits >> 20 == 0xac1 || bits >> 16 == 0xc0a8 || bits >> 22 == 0x6440 >> 6
                || bits >> 16 == 0xa9fe || bits >> 24 == 127
        }
        return high >> 57 == 0xfc >> 1 || high >> 54 == 0xfe80 >> 6 || (high == 0 && low == 1)
    }

    /// The network that takes this address and its neighbours together: /24, or /48 for IPv6.
    var neighborhood: IPAddress {
        isIPv4 ? IPAddress(v4: v4Bits & 0xffff_ff00) : IPAddress(high: high & ~0xffff, low: 0)
    }
}
