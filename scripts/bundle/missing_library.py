"""Prints the Debian package of this Python's shared library, if that library is not there."""

import os
import sys
import sysconfig

folder, name = sysconfig.get_config_vars("LIBDIR", "INSTSONAME")
if not os.path.exists(os.path.join(folder, name)):
    print("libpython{}.{}".format(*sys.version_info))
