//! The system in containers: the rules that the compose files keep, and, against one that runs, what it does.

mod compose;
mod filebeat;
mod files;
mod gateway;
mod kills;
mod rabbitmq;
mod system;
