"""Real web servers from Debian, configured as cvmfs_server configures a stratum-1."""

import collections
import os
import signal
import socket
import subprocess
import time

from support.berth import free_port
from support.waiting import wait_until

NGINX = """daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  log_format plain '$status $http_range $request_uri';
  access_log {folder}/access.log plain;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  default_type application/octet-stream;
  keepalive_timeout 5; keepalive_requests 100;
  etag off; if_modified_since off;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root {root};
    location / {{ add_header Last-Modified ""; add_header Cache-Control "max-age=259200"; }}
    location ~ /\\.cvmfs {{
      default_type application/x-cvmfs;
      add_header Last-Modified "";
      add_header Cache-Control "max-age={age}";
    }}
  }}
}}
"""

APACHE = """ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule expires_module /usr/lib/apache2/modules/mod_expires.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
TypesConfig /etc/mime.types
ErrorLog {folder}/error.log
LogFormat "%>s %{{Range}}i %U" plain
CustomLog {folder}/access.log plain
DocumentRoot {root}
KeepAlive On
KeepAliveTimeout 5
MaxKeepAliveRequests 100
<Directory {root}>
  Require all granted
  Options -MultiViews
  FileETag None
  Header unset Last-Modified
  RequestHeader unset If-Modified-Since
  ForceType application/octet-stream
  ExpiresActive On
  ExpiresDefault "access plus 3 days"
  <FilesMatch "^(\\.cvmfs.*|.*\\.json)$">
    ForceType application/x-cvmfs
    ExpiresDefault "access plus {age} seconds"
  </FilesMatch>
</Directory>
"""


class WebServer:
    """One server; `start` and `stop` can be repeated, the port stays. `asked` is what its access log has."""

    def __init__(self, directory, root, kind="nginx", manifest_age_s=61):
        self.folder, self.root, self.kind = directory, root, kind
        self.port = free_port()
        self.name = "127.0.0.1:%d" % self.port
        self.process = None
        os.makedirs(directory)
        text = (NGINX if kind == "nginx" else APACHE).format(folder=directory, root=root, port=self.port, age=manifest_age_s)
        if os.getuid() == 0:
            text = "user nobody nogroup;\n" + text if kind == "nginx" else text + "User nobody\nGroup nogroup\n"
        with open(self._path("conf"), "w", encoding="utf-8") as file:
            file.write(text)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _read(self, name):
        try:
            with open(self._path(name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def start(self):
        command = (["/usr/sbin/nginx", "-p", self.folder, "-e", self._path("error.log"), "-c", self._path("conf")]
                   if self.kind == "nginx" else
                   ["/usr/sbin/apache2", "-d", self.folder, "-f", self._path("conf"), "-DFOREGROUND"])
        with open(self._path("output"), "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)
        wait_until(self._listens, 15, self.kind + " to listen")
        return self

    def _listens(self):
        assert self.process.poll() is None, self._read("output")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def asked(self):
        """Counts of requests by path."""
        return collections.Counter(line.split(" ", 2)[2] for line in self._read("access.log").splitlines())

    def objects_asked(self, fqrn):
        """Requests for content objects; 0.2 s later, because servers write their logs after the answers."""
        time.sleep(0.2)
        return sum(count for path, count in self.asked().items() if path.startswith("/cvmfs/%s/data/" % fqrn))
