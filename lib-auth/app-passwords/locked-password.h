// A stored password that locks the whole account, app passwords included.
#pragma once

#include <string_view>

namespace culver {

// "{CRYPT}!$6$..." as `passwd -l` and `usermod -L` leave it. A password in the clear may begin with '!' as well: that
// is no lock.
bool is_locked_password(std::string_view stored);

}  // namespace culver
