# For dnf 4: copy to the directory of dnf's plugins (python3 -c 'import dnf_plugins; print(dnf_plugins.__path__)').
# A backup before packages change; see "[backup]" in /etc/zshield/zshield.toml.
import subprocess

import dnf


class ZshieldPlugin(dnf.Plugin):
    name = "zshield"

    def _guard(self, moment):
        return subprocess.call(["/usr/bin/zshield", "upgrade-guard", moment, "dnf"])

    def pre_transaction(self):
        # rpm's own test of the transaction has passed by now; nothing has been changed.
        if self._guard("begin") != 0:
            raise dnf.exceptions.Error("zshield stopped the upgrade: no backup")

    def transaction(self):
        self._guard("end")
