"""The one place of the version; a module of its own, so that rooms can name it without importing the package's face."""
__version__ = "0.1.0"
