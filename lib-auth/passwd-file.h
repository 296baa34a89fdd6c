// passwd-file: `user:password:uid:gid:gecos:home:shell:extra fields`, one user a line, as passdb and as userdb.
//
// The whole file is held in memory with a hash table over it (8 bytes a user beside the text), and read again when its
// mtime, size or inode changes; that is looked at with each lookup. A line that cannot be used is named in the log with
// file:line and skipped. Thread-safe. Format: docs/passwd-file.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/file.h"
#include "lib-base/result.h"

namespace culver {

// One line taken apart; views into the table's text.
struct PasswdFileEntry {
    std::string_view user, password, uid, gid, home;
    std::string_view extra;     // the eighth field: blank-separated key=value
    std::string_view old_mail;  // old format: an empty eighth field, then the mail location
    bool has_userdb_info = false;
    unsigned line = 0;
};

constexpr std::size_t kPasswdLineLimit = 64 * 1024;  // a longer line is nobody's

// Why a line (without its line end) is nobody's: it is empty, a comment, too long, has a NUL, has no user name.
// Nullopt: it is somebody's. The text is for the admin; empty for what is left out in silence.
std::optional<std::string_view> why_nobodys_line(std::string_view line);

// Words of the eighth field: separated by blanks, a TAB is part of a word.
std::vector<std::string_view> split_passwd_extra(std::string_view extra);

// What a file serves. A userdb's lines must name a usable uid and gid; one that does not is no user of either.
enum class PasswdFileUse { PassDb, UserDb };

class PasswdFileTable {
public:
    struct Problem {
        unsigned line = 0;
        std::string text;
    };

    // Parses `text`. Problems are bounded: after kProblemLimit only their number is kept. For a userdb names of users
    // and groups are looked up in the system (NSS).
    static std::shared_ptr<const PasswdFileTable> parse(std::string text, PasswdFileUse use = PasswdFileUse::PassDb);

    // The first line of this user, byte for byte; views into this table.
    std::optional<PasswdFileEntry> find(std::string_view user) const;
    // In the order of the file.
    void for_each(const std::function<void(const PasswdFileEntry&)>& visit) const;
    std::size_t size() const { return count_; }
    const std::vector<Problem>& problems() const { return problems_; }
    std::size_t problem_count() const { return problem_count_; }
    // The password of a user with the most frequent kind of hash: what a comparison costs for most users of this file.
    std::string_view typical_password() const { return typical_password_; }

    static constexpr std::size_t kProblemLimit = 100;

private:
    struct Slot {
        std::uint64_t tagged = 0;  // 0: free; otherwise 24 bits of the hash and 40 bits of offset + 1
    };
    class IdCheck;
    PasswdFileTable() = default;
    std::uint64_t hash(std::string_view user) const;
    void insert(std::string_view user, std::uint64_t offset, unsigned line);
    void complain(unsigned line, std::string text);
    void take_in(std::string_view line, std::uint64_t offset, unsigned number, IdCheck* ids);
    void count_password(std::string_view password);
    std::string_view line_at(std::uint64_t offset) const;
    unsigned line_number(std::uint64_t offset) const;

    std::string text_;
    std::vector<Slot> slots_;
    std::uint64_t seed_ = 0;
    std::size_t count_ = 0, problem_count_ = 0;
    std::vector<Problem> problems_;
    std::vector<std::pair<std::string, std::size_t>> password_kinds_;
    std::size_t typical_count_ = 0;
    std::string typical_password_;
};

// Splits one line; never fails (missing fields are empty).
PasswdFileEntry parse_passwd_line(std::string_view line);

class PasswdFile {
public:
    explicit PasswdFile(std::string path) : path_(std::move(path)) {}

    // The file's current content; reads it when it changed. Io/NoPermission/NotFound with Dovecot's wording.
    Result<std::shared_ptr<const PasswdFileTable>> table();
    // True if table() would not have to read the file: it is cheap now.
    bool is_current();
    // From now on uid and gid of its lines are checked.
    void serve_userdb();
    const std::string& path() const { return path_; }

private:
    using Table = std::shared_ptr<const PasswdFileTable>;
    // A look at the file: its stamp, and the table in memory if that is of this very stamp.
    struct Look {
        FileStamp stamp;
        Table current;
    };
    Result<Look> look_whether_current();
    Result<Table> read_as(const FileStamp& stamp);
    using Clock = std::chrono::steady_clock;

    std::string path_;
    std::mutex mutex_;       // guards stamp_, use_, checked_ and table_
    std::mutex load_mutex_;  // one reader at a time; taken before mutex_
    FileStamp stamp_;        // of the file that table_ was read from
    PasswdFileUse use_ = PasswdFileUse::PassDb;
    Clock::time_point checked_;  // when is_current() last found it so: table() right behind it need not look again
    std::shared_ptr<const PasswdFileTable> table_;  // shared with lookups under way in other threads
};

// One PasswdFile per path, so that passdb and userdb share the memory, and a reload of the settings keeps it.
class PasswdFileRegistry {
public:
    // `configured`: the path as it stands in the settings, perhaps with %variables.
    std::shared_ptr<PasswdFile> open(const std::string& path, const std::string& configured);
    // Files of this configured path serve a userdb.
    void serve_userdb(const std::string& configured);
    // The text of a small configuration file that perhaps only root may read: what was read before privileges were
    // dropped serves later when the file cannot be read any more.
    Result<std::string> read_config(const std::string& path);

private:
    std::mutex mutex_;  // guards all below
    std::map<std::string, std::string> configs_;
    std::map<std::string, std::shared_ptr<PasswdFile>> files_;
    std::set<std::string> userdb_paths_;
};

}  // namespace culver
