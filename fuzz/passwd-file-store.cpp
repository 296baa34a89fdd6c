// Hash upgrade at login: whatever a passwd-file holds, one field of one line changes, every other byte stays.
// Input: the user's name, LF, the new hash, LF, the file's text.
#include "lib-auth/passwd-file-store.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-auth/passwd-file.h"
#include "lib-base/file.h"
#include "lib-base/text.h"

using namespace culver;

namespace {
void must(bool holds) {
    if (!holds) std::abort();
}

bool fits_a_field(std::string_view text) { return text.find_first_of(std::string_view(":\n\r\0", 4)) == text.npos; }

// Seen with other eyes than the rewriter's: a line is a list of fields, and a CR at its end belongs to its end.
void check_lines(std::string_view before, std::string_view after, std::string_view user, std::string_view fresh) {
    auto old_lines = split(before, '\n'), new_lines = split(after, '\n');
    must(old_lines.size() == new_lines.size());
    int changed = 0;
    for (std::size_t i = 0; i < old_lines.size(); ++i) {
        std::string_view was = old_lines[i], is = new_lines[i];
        if (was == is) continue;
        must(++changed == 1);
        must(was.ends_with('\r') == is.ends_with('\r'));
        if (was.ends_with('\r')) was.remove_suffix(1), is.remove_suffix(1);
        auto old_fields = split(was, ':'), new_fields = split(is, ':');
        must(old_fields.size() == new_fields.size() && old_fields.size() >= 2);
        must(old_fields[0] == user && new_fields[1] == fresh);
        for (std::size_t field = 0; field < old_fields.size(); ++field)
            must(field == 1 || old_fields[field] == new_fields[field]);
    }
}

// Everybody, in the file's order, has what he had; the user his new hash.
void check_users(const PasswdFileTable& before, const PasswdFileTable& after, std::string_view user,
                 std::string_view fresh) {
    auto found = after.find(user);
    must(found && found->password == fresh);
    must(before.size() == after.size());
    std::vector<PasswdFileEntry> old_entries, new_entries;
    before.for_each([&](const PasswdFileEntry& entry) { old_entries.push_back(entry); });
    after.for_each([&](const PasswdFileEntry& entry) { new_entries.push_back(entry); });
    must(old_entries.size() == new_entries.size());
    bool first = true;  // of the user's lines; others do not count and stay
    for (std::size_t i = 0; i < old_entries.size(); ++i) {
        const PasswdFileEntry &was = old_entries[i], &is = new_entries[i];
        must(was.user == is.user && was.uid == is.uid && was.gid == is.gid && was.home == is.home);
        must(was.extra == is.extra && was.old_mail == is.old_mail && was.has_userdb_info == is.has_userdb_info);
        must(was.user == user && std::exchange(first, false) ? is.password == fresh : was.password == is.password);
    }
}

struct OwnFolder {
    std::string path = "/dev/shm/fuzz-passwd-file-XXXXXX";  // in memory: fsync(2) costs nothing
    OwnFolder() { must(::mkdtemp(path.data()) != nullptr); }
    ~OwnFolder() { std::filesystem::remove_all(path); }
};

// The same through a file: its bytes, its mode, and nothing left beside it.
void check_file(std::string_view text, std::string_view user, std::string_view fresh, std::string_view stored,
                std::string_view expected) {
    static const OwnFolder folder;
    const std::string path = folder.path + "/users";
    must(replace_file(path, text, 0640, false).has_value());
    must(store_in_passwd_file(path, user, fresh, [&](std::string_view field) { return field == stored; }).has_value());
    must(read_file(path).value() == expected);
    struct stat file;
    must(::stat(path.c_str(), &file) == 0 && (file.st_mode & 07777) == 0640);
    must(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    std::string_view input(reinterpret_cast<const char*>(data), size);
    std::size_t user_end = input.find('\n');
    if (user_end == input.npos) return 0;
    std::size_t fresh_end = input.find('\n', user_end + 1);
    if (fresh_end == input.npos) return 0;
    std::string_view user = input.substr(0, user_end), fresh = input.substr(user_end + 1, fresh_end - user_end - 1);
    std::string_view text = input.substr(fresh_end + 1);

    auto before = PasswdFileTable::parse(std::string(text));
    auto entry = before->find(user);
    const std::string stored(entry ? entry->password : "");
    auto changed = with_new_password(text, user, fresh,
                                     [&](std::string_view field) { return entry.has_value() && field == stored; });
    must(!with_new_password(text, user, fresh, [](std::string_view) { return false; }));
    if (!changed) {
        // A user who is found gets his hash, unless he has no field for it or the line would be too long.
        if (!entry || !fits_a_field(user) || !fits_a_field(fresh) || fresh.size() > 1000) return 0;
        for (std::string_view line : split(text, '\n')) {
            if (line.ends_with('\r')) line.remove_suffix(1);
            if (line == user || line.size() > kPasswdLineLimit - 1000) return 0;
        }
        std::abort();
    }
    must(entry.has_value());
    check_lines(text, *changed, user, fresh);
    check_users(*before, *PasswdFileTable::parse(*changed), user, fresh);
    if (size % 16 == 0) check_file(text, user, fresh, stored, *changed);  // slow: a file each time
    return 0;
}
