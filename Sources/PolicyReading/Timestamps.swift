// SPDX-License-Identifier: Apache-2.0

/// Moments as RFC 3339 writes them: `2026-12-31T23:59:59Z`, `2026-12-31T23:59:59.5+01:00`.
enum Timestamps {
    /// Seconds since 1970, UTC, a fraction cut off; nil: it is not written so, or there is no such moment.
    static func seconds(_ text: String) -> Int64? {
        var rest = Substring(text)
        guard let year = digits(&rest, 4), mark(&rest, "-"), let month = digits(&rest, 2), mark(&rest, "-"),
            let day = digits(&rest, 2), mark(&rest, "Tt"), let hour = digits(&rest, 2), mark(&rest, ":"),
            let minute = digits(&rest, 2), mark(&rest, ":"), let second = digits(&rest, 2)
        else { return nil }
        if mark(&rest, ".") {
            guard digits(&rest, 1) != nil else { return nil }
            while digits(&rest, 1) != nil {}
        }
        // 60 is a leap second: the moment is the one that follows.
        guard (1...12).contains(month), (1...days(in: month, of: year)).contains(day), hour < 24, minute < 60,
            second <= 60, let offset = offset(&rest), rest.isEmpty
        else { return nil }
        return (daysSince1970(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset
    }

    /// Seconds east of Greenwich.
    private static func offset(_ rest: inout Substring) -> Int64? {
        if mark(&rest, "Zz") { return 0 }
        let isEast = rest.first == "+"
        guard mark(&rest, "+-"), let hours = digits(&rest, 2), mark(&rest, ":"), let minutes = digits(&rest, 2),
            hours < 24, minutes < 60
        else { return nil }
        return (hours * 3600 + minutes * 60) * (isEast ? 1 : -1)
    }

    private static func digits(_ rest: inout Substring, _ count: Int) -> Int64? {
        let part = rest.prefix(count)
        guard part.utf8.count == count, part.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        rest = rest.dropFirst(count)
        return Int64(part)
    }

    private static func mark(_ rest: inout Substring, _ marks: String) -> Bool {
        guard let first = rest.first, marks.contains(first) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Proleptic Gregorian; eras of 400 years, which begin on 1 March so that the leap day comes last.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
